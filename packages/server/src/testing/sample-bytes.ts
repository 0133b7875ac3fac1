/** Gathers what a stream yields; resolves with its failure. */
export async function gather(stream: AsyncIterable<Uint8Array>, into: Uint8Array[]): Promise<unknown> {
  try {
    for await (const chunk of stream) into.push(chunk);
    return undefined;
  } catch (failure) {
    return failure;
  }
}

/** The same bytes for the same seed. */
export function sampleBytes(count: number, seed: number): Buffer {
  const bytes = Buffer.alloc(count);
  let state = seed + 1;
  for (let index = 0; index < count; index++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}

/** In chunks of uneven sizes, so that chunks and blocks do not end together. */
export async function* inUnevenChunks(content: Buffer): AsyncGenerator<Uint8Array> {
  const sizes = [1, 100_003, 65_536, 7, 400_000];
  for (let at = 0, turn = 0; at < content.length; turn++) {
    const end = at + (sizes[turn % sizes.length] ?? 1);
    yield content.subarray(at, end);
    at = end;
  }
}

/** Yields 64 KiB a time, then throws. */
export async function* failingAfter(chunks: number, failure: Error): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < chunks; index++) yield sampleBytes(65_536, index);
  throw failure;
}
