// graphile-worker on jobs that do nothing: so many are added, then ten at a time are taken one by
// one, and how many a second ended is printed. PostgreSQL is named by PGHOST, PGUSER and PGDATABASE.
const { Logger, makeWorkerUtils, run } = require("graphile-worker");
const { Pool } = require("pg");

const [backlog, slots] = process.argv.slice(2).map(Number);

async function main() {
  const pgPool = new Pool({ max: slots + 2 });
  const logger = new Logger(() => () => {});
  const utils = await makeWorkerUtils({ pgPool, logger });
  await utils.migrate();
  await pgPool.query("select graphile_worker.add_job('nothing') from generate_series(1, $1::int)", [backlog]);
  await pgPool.query("vacuum analyze");
  const doneAt = [];
  let drained;
  const end = new Promise((resolve) => (drained = resolve));
  const runner = await run({
    pgPool,
    logger,
    concurrency: slots,
    noHandleSignals: true,
    taskList: {
      nothing: async () => {
        doneAt.push(performance.now());
        if (doneAt.length === backlog) drained();
      },
    },
  });
  await end;
  await runner.stop();
  await utils.release();
  await pgPool.end();
  const rate = (from, to) => ((to - from) * 1000) / (doneAt[to] - doneAt[from]);
  const fifth = Math.floor(backlog / 5);
  console.log(JSON.stringify({
    rate: rate(0, backlog - 1),
    first: rate(0, fifth),
    last: rate(backlog - 1 - fifth, backlog - 1),
  }));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
