// node explain.mjs RUNTIME GRAPH < batches.json > outputs.json
//
// batches: [rows, ...] with rows [[number, ...], ...]; outputs: one {name: {dims, data}} for each batch, all from one
// session. JSON has neither NaN nor Infinity: they are texts, both ways.
import { readdir } from "node:fs/promises";
import path from "node:path";
import { text } from "node:stream/consumers";

import { open } from "./ask.mjs";

const [runtime, graph] = process.argv.slice(2);
const ort = await import(runtime);
const web = runtime === "onnxruntime-web";
if (web) ort.env.wasm.numThreads = 1; // more would leave workers that keep the process alive

// The native runtime finds neighbours by itself; WebAssembly sees no folder and is told of each.
const neighbours = async () => {
  const folder = path.dirname(graph);
  const names = (await readdir(folder)).filter((name) => name.endsWith(".onnx") && name !== path.basename(graph));
  return names.map((name) => ({ path: name, data: path.join(folder, name) }));
};

const plain = (outputs) =>
  Object.fromEntries(Object.entries(outputs).map(([name, { dims, data }]) => [name, { dims, data: Array.from(data) }]));
const finite = (_, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value);

const explain = await open(ort, graph, web ? await neighbours() : []);
const answers = [];
for (const rows of JSON.parse(await text(process.stdin))) answers.push(plain(await explain(rows)));
process.stdout.write(JSON.stringify(answers, finite));
