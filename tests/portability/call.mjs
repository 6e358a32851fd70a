// node call.mjs HOST:PORT < script.json > answers.json
//
// The service as an ordinary client has it: the published proto is loaded, nothing is generated. script: [[verb, requests],
// ...], where a verb that streams takes several requests; a request's "$name" stands for a field of an earlier answer.
import { fileURLToPath } from "node:url";
import { text } from "node:stream/consumers";

import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const proto = fileURLToPath(new URL("../../proto/attribution/v1/attribution.proto", import.meta.url));
const loaded = loader.loadSync(proto, { keepCase: true, longs: Number, defaults: false, oneofs: true });
const { AttributionService } = grpc.loadPackageDefinition(loaded).attribution.v1;
const client = new AttributionService(process.argv[2], grpc.credentials.createInsecure());

const call = (verb, requests) =>
  new Promise((resolve, reject) => {
    const { requestStream, responseStream } = AttributionService.service[verb];
    const answers = [];
    const answered = (error, answer) => (error ? resolve([{ code: error.code, details: error.details }]) : resolve([answer]));
    if (!responseStream) return client[verb](requests[0], answered);
    const stream = requestStream ? client[verb]() : client[verb](requests[0]);
    stream.on("data", (answer) => answers.push(answer));
    stream.on("error", reject);
    stream.on("end", () => resolve(answers));
    if (requestStream) {
      for (const request of requests) stream.write(request);
      stream.end();
    }
  });

const known = {};
const filled = (request) =>
  Object.fromEntries(
    Object.entries(request).map(([name, value]) => [name, typeof value === "string" && value[0] === "$" ? known[value.slice(1)] : value]),
  );

const out = [];
for (const [verb, requests] of JSON.parse(await text(process.stdin))) {
  let answers = await call(verb, requests.map(filled));
  while (verb === "GetAttributionJob" && ["queued", "running"].includes(answers[0].state)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    answers = await call(verb, requests.map(filled));
  }
  Object.assign(known, answers[0]);
  out.push([verb, answers]);
}
client.close();
process.stdout.write(JSON.stringify({ offered: Object.keys(AttributionService.service), answers: out }));
