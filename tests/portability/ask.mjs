// ort: onnxruntime-node or onnxruntime-web
export async function open(ort, graph, externalData = []) {
  const session = await ort.InferenceSession.create(graph, { externalData });
  const n = session.inputMetadata[0].shape[1];
  return async (rows) => {
    const x = new ort.Tensor("float32", Float32Array.from(rows.flat()), [rows.length, n]);
    return session.run({ x }); // attribution.data: rows * n numbers, row after row
  };
}
