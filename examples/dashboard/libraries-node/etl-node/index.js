// What the steps in Node.js share: addresses of connections, requests, JSON Schema, points for InfluxDB, log records.

"use strict";

const Ajv = require("ajv");

// The address of a connection without user and password, which fetch refuses in one.
function parse(uri) {
  const { protocol, username, password, host, pathname } = new URL(uri);
  const path = pathname.replace(/\/$/, "");
  return { protocol, host, path, url: `${protocol}//${host}${path}`, user: decodeURIComponent(username), password: decodeURIComponent(password) };
}

// What an API answers, if it is 2xx; errors name no parameters, which may be secret.
async function getJson(url, query, headers = {}) {
  const response = await fetch(`${url}?${new URLSearchParams(query)}`, { headers });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
  return response.json();
}

// A function that throws where a value breaks the schema.
function validator(name, schema) {
  const check = new Ajv({ allErrors: true }).compile(schema);
  return (value) => {
    if (check(value)) return value;
    const reasons = check.errors.map(({ instancePath, message }) => `${instancePath} ${message}`.trim());
    throw new Error(`${name} is not valid: ${reasons.join("; ")}`);
  };
}

// Writes one point at a time in seconds since 1970: written again, it is still one. Numbers are floats.
async function writePoint(uri, measurement, tags, fields, seconds) {
  const { host, path, user, password } = parse(uri);
  const named = [measurement, ...Object.entries(tags).sort().map(([key, value]) => `${escaped(key)}=${escaped(value)}`)].join(",");
  const values = Object.entries(fields).map(([key, value]) => `${escaped(key)}=${typeof value === "number" ? value : quoted(value)}`);
  const headers = user ? { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` } : {};
  const address = `http://${host}/write?db=${path.slice(1)}&precision=s`;
  const response = await fetch(address, { method: "POST", headers, body: `${named} ${values.join(",")} ${Math.floor(seconds)}` });
  if (!response.ok) throw new Error(`${host} answered ${response.status}: ${(await response.text()).slice(0, 500)}`);
}

function escaped(text) {
  return String(text).replace(/[,= ]/g, "\\$&");
}

function quoted(text) {
  return `"${String(text).replace(/["\\]/g, "\\$&")}"`;
}

function say(event, fields = {}, level = "info") {
  console.log(JSON.stringify({ event, level, ...fields }));
}

// Runs a step: what it throws is its error.
async function step(work) {
  try {
    await work(...process.argv.slice(2));
    say("result", { rows_read: 1, rows_written: 1 });
  } catch (error) {
    say("failed", { error: error.message }, "error");
    process.exitCode = 1;
  }
}

module.exports = { getJson, parse, step, validator, writePoint };
