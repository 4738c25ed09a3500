// From a pair with its statistics to a document: a line for each tissue, the smallest p-value first.

const NAMES = { "p-value": "p_value", beta: "beta" };

export function documentOf({ snp, ensg, data }) {
  const tissues = new Map();
  for (const { tissue, statistic, value } of data) {
    const name = NAMES[statistic];
    if (name === undefined) throw new Error(`${snp}, ${ensg}: unknown statistic ${JSON.stringify(statistic)}`);
    tissues.set(tissue, { tissue, p_value: null, beta: null, ...tissues.get(tissue), [name]: value });
  }
  const found = [...tissues.values()].sort((a, b) => (a.p_value ?? Infinity) - (b.p_value ?? Infinity));
  return { _id: `${snp}:${ensg}`, snp, ensg, tissues: found, strongest: found[0]?.tissue ?? null };
}
