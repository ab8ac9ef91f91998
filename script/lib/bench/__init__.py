"""What `script/bench` measures, and with what.

| module       | for                                                                            |
|--------------|--------------------------------------------------------------------------------|
| `__main__`   | the order of the work, the time it may take, the end of every process          |
| `report`     | rows and their verdicts: the table, and the JSON                               |
| `world`      | the GitHub stand-in and `greenroom serve`, started, asked and ended            |
| `hooks`      | webhooks as GitHub words and signs them                                        |
| `load`       | requests over many kept-alive connections, from one process that does not block|
| `limits`     | what the machine itself can do: commits, git, sandbox, files                   |
| `intake`     | webhooks accepted                                                              |
| `latency`    | webhook to first command                                                       |
| `rate`       | trivial builds per second                                                      |
| `logs`       | a 20 MB log, and the lag of a live line                                        |
| `sources`    | checkout of many files, unchanged dependencies                                 |
| `queue`      | no-op jobs through the worker API                                              |
| `buildbot`   | the peer on the same work                                                      |

What always holds: every figure stands beside one of the machine's own, taken in the same run right
before or after it; every wait has an end; a part that cannot be measured says why.
"""
