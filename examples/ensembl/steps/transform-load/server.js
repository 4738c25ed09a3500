// POST /transform takes pairs as JSON, and answers once they are in the database. GET /healthz says that it is up.

import { createServer } from "node:http";

const LARGEST = 64 << 20; // bytes of a body

async function bodyOf(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > LARGEST) throw Object.assign(new Error(`a body has at most ${LARGEST} bytes`), { status: 413 });
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    throw Object.assign(error, { status: 400 });
  }
}

async function answerTo(request, load) {
  if (request.method === "GET" && request.url === "/healthz") return { ok: true };
  if (request.method === "POST" && request.url === "/transform") return { loaded: await load(await bodyOf(request)) };
  throw Object.assign(new Error(`there is no ${request.method} ${request.url}`), { status: 404 });
}

export function serve(load, close) {
  const server = createServer(async (request, response) => {
    let status = 200;
    let answer;
    try {
      answer = await answerTo(request, load);
    } catch (error) {
      console.error(error);
      status = error.status ?? 500;
      answer = { error: error.message };
    }
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
  });
  server.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? "127.0.0.1");
  process.on("SIGTERM", () => {
    server.close(close);
    server.closeIdleConnections();
  });
}
