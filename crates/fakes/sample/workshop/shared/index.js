// What the parts of the workshop promise each other: which answers there are and what each holds.
const contract = require('./contract.json');

// The named answer with every field of the contract and no other. A field without a value is null.
function answer(name, values) {
  const all = { ...values, contract: contract.version };
  return Object.fromEntries(contract[name].fields.map((field) => [field, all[field] ?? null]));
}

module.exports = { answer, contract };
