// The file format of SQLite's write-ahead log (sqlite.org/fileformat2.html#walformat).
const headerBytes = 32;
const frameHeaderBytes = 24;
const magicLittleEndian = 0x377f0682;
/** SQLite's default, which our databases have. */
const pageBytes = 4_096;
const frameBytes = frameHeaderBytes + pageBytes;

interface Log {
  readonly view: DataView;
  readonly isLittleEndian: boolean;
}

/**
 * Whether a log lost something that was acknowledged. SQLite reads a log up to the first frame whose checksum is wrong
 * and drops the rest in silence: right for what a crash tore, wrong for a damaged byte further ahead. Each commit is on
 * disk before the next transaction writes, so what a crash tears is the last transaction only: when frames follow a
 * commit that SQLite would drop, that commit had been acknowledged. Damage in the last commit looks like a crash.
 */
export function hasLostCommits(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < headerBytes + frameHeaderBytes) return false;
  const log = { view, isLittleEndian: view.getUint32(0) === magicLittleEndian };
  const headerSum = addTo([0, 0], log, { start: 0, end: 24 });
  const isHeaderSound = isAt(view, 24, headerSum);
  // The log is overwritten from its beginning, each time with another salt.
  const salt = view.getBigUint64(isHeaderSound ? 16 : headerBytes + 8);
  const frames = framesUpToLast(log, salt);
  const broken = isHeaderSound ? firstBroken(log, { frames, salt, headerSum }) : 0;
  const isCommit = (frame: number) => view.getBigUint64(frame + 8) === salt && view.getUint32(frame + 4) !== 0;
  const lost = frames.findIndex((frame, index) => index >= broken && isCommit(frame));
  return lost !== -1 && lost < frames.length - 1;
}

/** Offsets of the frames up to the last one with this salt. */
function framesUpToLast({ view }: Log, salt: bigint): readonly number[] {
  const frames: number[] = [];
  let count = 0;
  for (let frame = headerBytes; frame + frameBytes <= view.byteLength; frame += frameBytes) {
    frames.push(frame);
    if (view.getBigUint64(frame + 8) === salt) count = frames.length;
  }
  return frames.slice(0, count);
}

interface Frames {
  readonly frames: readonly number[];
  readonly salt: bigint;
  readonly headerSum: Checksum;
}

/** The index of the first frame that SQLite would not accept. Checksums build on each other. */
function firstBroken(log: Log, { frames, salt, headerSum }: Frames): number {
  const { view } = log;
  let sum = headerSum;
  for (const [index, frame] of frames.entries()) {
    sum = addTo(sum, log, { start: frame, end: frame + 8 });
    sum = addTo(sum, log, { start: frame + frameHeaderBytes, end: frame + frameBytes });
    if (view.getBigUint64(frame + 8) !== salt || !isAt(view, frame + 16, sum)) return index;
  }
  return frames.length;
}

type Checksum = readonly [number, number];

function addTo(
  [first, second]: Checksum,
  { view, isLittleEndian }: Log,
  range: { start: number; end: number },
): Checksum {
  let [a, b] = [first, second];
  for (let offset = range.start; offset < range.end; offset += 8) {
    a = (a + view.getUint32(offset, isLittleEndian) + b) >>> 0;
    b = (b + view.getUint32(offset + 4, isLittleEndian) + a) >>> 0;
  }
  return [a, b];
}

function isAt(view: DataView, offset: number, [first, second]: Checksum): boolean {
  return view.getUint32(offset) === first && view.getUint32(offset + 4) === second;
}
