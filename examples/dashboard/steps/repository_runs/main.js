// Writes how often the workflows of a repository ran, and how the last run ended, to InfluxDB: at the time that the run is of.

"use strict";

const { step, writePoint } = require("etl-node");
const { runs } = require("github");

step(async (repository, time) => {
  const { total_count: total, workflow_runs: [last] } = await runs(process.env.GITHUB_URL, repository);
  const fields = { total, ...(last && { last_run: last.name, last_status: last.conclusion ?? last.status }) };
  await writePoint(process.env.INFLUX_URL, "repository_runs", { repository }, fields, Date.parse(time) / 1000);
});
