// What Greenroom tells these scripts, and a clear word when it is missing.
function needed(environment, name, remedy) {
  const value = environment[name];
  if (!value) {
    throw new Error(`${name} is not set; ${remedy}`);
  }
  return value;
}

// A script's main: an error is one line and exit status 1.
function run(main) {
  main(process.env).catch((error) => {
    console.error(`error: ${error.message}`);
    process.exitCode = 1;
  });
}

module.exports = { needed, run };
