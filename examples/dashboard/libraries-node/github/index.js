// GitHub: the runs of a repository's workflows (https://docs.github.com/en/rest/actions/workflow-runs).

"use strict";

const { getJson, parse, validator } = require("etl-node");

const check = validator("the list of runs", {
  type: "object",
  properties: {
    total_count: { type: "integer", minimum: 0 },
    workflow_runs: {
      type: "array",
      items: {
        type: "object",
        properties: { name: { type: "string" }, status: { type: "string" }, conclusion: { type: ["string", "null"] } },
        required: ["name", "status", "conclusion"],
      },
    },
  },
  required: ["total_count", "workflow_runs"],
});

async function runs(uri, repository) {
  const { url, password } = parse(uri);
  const headers = { Accept: "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28" };
  if (password) headers.Authorization = `Bearer ${password}`;
  return check(await getJson(`${url}/repos/${repository}/actions/runs`, { per_page: 1 }, headers));
}

module.exports = { runs };
