import {
  absentSystemCalls,
  deniedSystemCalls,
  judgedSystemCalls,
  newestSystemCall,
  type SystemCall,
} from "./denied-system-calls.ts";

export type Processor = keyof SystemCall;

/** The value of `arch` in seccomp_data (linux/audit.h). Both processors are little-endian. */
const auditArch = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;
const allow = 0x7fff0000;
const killProcess = 0x80000000;
const refuse = (error: keyof typeof errno) => 0x00050000 | errno[error];

/** linux/bpf_common.h, and the offsets in seccomp_data of linux/seccomp.h. */
const operation = { load: 0x20, and: 0x54, jumpIfEqual: 0x15, jumpIfGreater: 0x25, jumpIfAtLeast: 0x35, answer: 0x06 };
const offset = { number: 0, arch: 4, argument: (index: number) => 16 + 8 * index };
const instructionBytes = 8;

/** Numbers from here on are x32's, the 32-bit pointers of x86-64: another table of system calls under the same arch. */
const x32Bit = 0x40000000;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const newNamespaces = 0x7e020000;
/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (which tells a program its own addresses). */
const families = [1, 2, 10, 16];
/** TIOCSTI and TIOCLINUX: type into the terminal of whoever started the server. */
const terminalInput = [0x5412, 0x541c];
/** PER_LINUX, and the question which one it is. */
const personalities = [0, 0xffffffff];

interface Instruction {
  readonly code: number;
  readonly k: number;
  /** How many instructions to skip. */
  readonly yes?: number;
  readonly no?: number;
}

/**
 * The filter that bubblewrap installs, as classic BPF (seccomp(2)): everything is allowed but what no function needs.
 * Of arguments only the lower half is looked at, as the kernel does with flags and commands.
 */
export function compileSeccompFilter(processor: Processor): Buffer {
  const program: readonly Instruction[] = [
    { code: operation.load, k: offset.arch },
    { code: operation.jumpIfEqual, k: auditArch[processor], yes: 1 },
    { code: operation.answer, k: killProcess },
    { code: operation.load, k: offset.number },
    ...(processor === "x64" ? answerIf(operation.jumpIfAtLeast, x32Bit, refuse("ENOSYS")) : []),
    ...answerIf(operation.jumpIfGreater, newestSystemCall, refuse("ENOSYS")),
    ...numbersOf(deniedSystemCalls, processor).flatMap((k) => answerIf(operation.jumpIfEqual, k, refuse("EPERM"))),
    ...numbersOf(absentSystemCalls, processor).flatMap((k) => answerIf(operation.jumpIfEqual, k, refuse("ENOSYS"))),
    ...judged(judgedSystemCalls.clone[processor], [...loadBits(0, newNamespaces), ...only([0], "EPERM")]),
    ...judged(judgedSystemCalls.socket[processor], [...loadArgument(0), ...only(families, "EAFNOSUPPORT")]),
    ...judged(judgedSystemCalls.socketpair[processor], [...loadArgument(0), ...only(families, "EAFNOSUPPORT")]),
    ...judged(judgedSystemCalls.ioctl[processor], [...loadArgument(1), ...allBut(terminalInput, "EPERM")]),
    ...judged(judgedSystemCalls.personality[processor], [...loadArgument(0), ...only(personalities, "EPERM")]),
    { code: operation.answer, k: allow },
  ];
  const bytes = Buffer.alloc(program.length * instructionBytes);
  for (const [index, { code, k, yes = 0, no = 0 }] of program.entries()) {
    const at = index * instructionBytes;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(yes, at + 2);
    bytes.writeUInt8(no, at + 3);
    bytes.writeUInt32LE(k >>> 0, at + 4);
  }
  return bytes;
}

/** undefined: no filter is known for it. */
export function seccompProcessor(nodeArchitecture: string): Processor | undefined {
  return nodeArchitecture === "x64" || nodeArchitecture === "arm64" ? nodeArchitecture : undefined;
}

function numbersOf(calls: Readonly<Record<string, SystemCall>>, processor: Processor): readonly number[] {
  return Object.values(calls).flatMap((call) => call[processor] ?? []);
}

function answerIf(code: number, k: number, answer: number): readonly Instruction[] {
  return [
    { code, k, no: 1 },
    { code: operation.answer, k: answer },
  ];
}

/** `body` ends with an answer. */
function judged(number: number | undefined, body: readonly Instruction[]): readonly Instruction[] {
  return number === undefined ? [] : [{ code: operation.jumpIfEqual, k: number, no: body.length }, ...body];
}

function loadArgument(index: number): readonly Instruction[] {
  return [{ code: operation.load, k: offset.argument(index) }];
}

function loadBits(index: number, mask: number): readonly Instruction[] {
  return [...loadArgument(index), { code: operation.and, k: mask }];
}

function only(values: readonly number[], error: keyof typeof errno): readonly Instruction[] {
  return [
    ...values.flatMap((k) => answerIf(operation.jumpIfEqual, k, allow)),
    { code: operation.answer, k: refuse(error) },
  ];
}

function allBut(values: readonly number[], error: keyof typeof errno): readonly Instruction[] {
  return [
    ...values.flatMap((k) => answerIf(operation.jumpIfEqual, k, refuse(error))),
    { code: operation.answer, k: allow },
  ];
}
