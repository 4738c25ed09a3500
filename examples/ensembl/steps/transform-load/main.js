// Transforms what was extracted, and loads it into MongoDB: `node main.js FILE`, a file of the workspace.
// With MODE=API it serves POST /transform instead.

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { serve } from "./server.js";
import { Store } from "./store.js";
import { documentOf } from "./transform.js";

const store = await Store.open(process.env.MONGODB_URL);

async function load(pairs) {
  const documents = pairs.map(documentOf);
  await store.put(documents);
  return documents.length;
}

if (process.env.MODE === "API") {
  serve(load, () => store.close());
} else {
  try {
    const file = join(process.env.WINDLASS_WORKSPACE, process.argv[2]);
    const count = await load(JSON.parse(await readFile(file, "utf8")));
    console.log(JSON.stringify({ event: "result", rows_read: count, rows_written: count }));
  } finally {
    await store.close();
  }
}
