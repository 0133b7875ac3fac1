import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compileSeccompFilter, type Processor, seccompProcessor } from "./seccomp.ts";

interface Asked {
  readonly arch: number;
  readonly number: number;
  readonly arguments?: readonly bigint[];
}

const arch = { x64: 0xc000003e, arm64: 0xc00000b7 };
const allow = 0x7fff0000;
const refused = (errno: number) => 0x00050000 | errno;
const [EPERM, ENOSYS, EAFNOSUPPORT] = [1, 38, 97];
const cloneOf = { x64: 56, arm64: 220 };

/** What the kernel would answer: classic BPF over seccomp_data, with its checks (kernel/seccomp.c). */
function ask(filter: Buffer, { arch: asked, number, arguments: values = [] }: Asked): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number, 0);
  data.writeUInt32LE(asked, 4);
  for (const [index, value] of values.entries()) data.writeBigUInt64LE(value, 16 + 8 * index);
  let accumulator = 0;
  for (let at = 0; ; at += 8) {
    if (at >= filter.length) throw new Error("the program runs past its end");
    const [code, yes, no] = [filter.readUInt16LE(at), filter.readUInt8(at + 2), filter.readUInt8(at + 3)];
    const k = filter.readUInt32LE(at + 4);
    if (code === 0x20) accumulator = data.readUInt32LE(k);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x06) return k;
    else {
      const holds = { 21: accumulator === k, 37: accumulator > k, 53: accumulator >= k }[code];
      if (holds === undefined) throw new Error(`an instruction that no filter has: ${code.toString(16)}`);
      at += 8 * (holds ? yes : no);
    }
  }
}

describe.each(["x64", "arm64"] as const)("the filter of system calls for %s", (processor: Processor) => {
  const filter = compileSeccompFilter(processor);
  const answer = (number: number, ...values: readonly (number | bigint)[]) =>
    ask(filter, { arch: arch[processor], number, arguments: values.map(BigInt) });

  it("is whole instructions, no more than the kernel takes, and ends whatever is asked", () => {
    expect(filter.length % 8).toBe(0);
    expect(filter.length / 8).toBeLessThan(4096);
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.array(fc.bigInt(0n, 2n ** 64n - 1n), { maxLength: 6 }), (number, values) => {
        const answered = ask(filter, { arch: arch[processor], number, arguments: values });
        expect([allow, refused(EPERM), refused(ENOSYS), refused(EAFNOSUPPORT)]).toContain(answered);
      }),
    );
  });

  it("ends a process that calls by the table of another processor, whatever it calls", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(500), (asked, number) => {
        fc.pre(asked !== arch[processor]);
        expect(ask(filter, { arch: asked, number })).toBe(0x80000000);
      }),
    );
  });

  it.each([
    ["mount", 165, 40],
    ["umount2", 166, 39],
    ["pivot_root", 155, 41],
    ["unshare", 272, 97],
    ["setns", 308, 268],
    ["ptrace", 101, 117],
    ["process_vm_writev", 311, 271],
    ["keyctl", 250, 219],
    ["bpf", 321, 280],
    ["perf_event_open", 298, 241],
    ["userfaultfd", 323, 282],
    ["init_module", 175, 105],
    ["kexec_load", 246, 104],
    ["reboot", 169, 142],
    ["swapon", 167, 224],
    ["open_by_handle_at", 304, 265],
    ["move_mount", 429, 429],
  ])("refuses %s", (_name, x64, arm64) => {
    expect(answer({ x64, arm64 }[processor])).toBe(refused(EPERM));
  });

  it.each([
    ["read", 0, 63],
    ["openat", 257, 56],
    ["execve", 59, 221],
    ["mmap", 9, 222],
    ["kill", 62, 129],
    ["prctl", 157, 167],
    ["capset", 126, 91],
    ["prlimit64", 302, 261],
    ["inotify_add_watch", 254, 27],
    ["memfd_create", 319, 279],
    ["landlock_create_ruleset", 444, 444],
  ])("allows %s", (_name, x64, arm64) => {
    expect(answer({ x64, arm64 }[processor])).toBe(allow);
  });

  it("allows threads and children, and refuses new namespaces in whatever company", () => {
    const clone = cloneOf[processor];
    expect(answer(clone, 0x3d0f00)).toBe(allow);
    expect(answer(clone, 17)).toBe(allow);
    for (const bit of [0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000])
      expect(answer(clone, 0x3d0f00 | bit)).toBe(refused(EPERM));
  });

  it("says that clone3, io_uring and what came later are not there", () => {
    for (const number of [435, 425, 426, 427, 467, 512, 1000]) expect(answer(number)).toBe(refused(ENOSYS));
  });

  it("allows sockets of machines, of files and of the kernel's address list only", () => {
    const socket = { x64: 41, arm64: 198 }[processor];
    for (const family of [1, 2, 10, 16]) expect(answer(socket, family)).toBe(allow);
    for (const family of [17, 38, 40, 44]) expect(answer(socket, family)).toBe(refused(EAFNOSUPPORT));
    // The kernel looks at the lower half.
    expect(answer(socket, 2n ** 32n + 40n)).toBe(refused(EAFNOSUPPORT));
  });

  it("refuses typing into a terminal, whatever stands in the upper half of the command", () => {
    const ioctl = { x64: 16, arm64: 29 }[processor];
    expect(answer(ioctl, 1, 0x5413)).toBe(allow);
    expect(answer(ioctl, 1, 0x5412)).toBe(refused(EPERM));
    expect(answer(ioctl, 1, 2n ** 40n + 0x5412n)).toBe(refused(EPERM));
    expect(answer(ioctl, 1, 0x541c)).toBe(refused(EPERM));
  });

  it("lets a program ask for its personality and not change it", () => {
    const personality = { x64: 135, arm64: 92 }[processor];
    expect(answer(personality, 0xffffffff)).toBe(allow);
    expect(answer(personality, 0)).toBe(allow);
    expect(answer(personality, 0x0040000)).toBe(refused(EPERM));
  });
});

it("the filter for x64 does not know x32, the second table of the same processor", () => {
  const filter = compileSeccompFilter("x64");
  for (const number of [0x40000000, 0x40000000 + 101, 0x40000000 + 520, 0xffffffff])
    expect(ask(filter, { arch: arch.x64, number })).toBe(refused(ENOSYS));
});

it("there are filters for the processors that Node names so", () => {
  expect(["x64", "arm64", "ia32", "riscv64"].map(seccompProcessor)).toEqual(["x64", "arm64", undefined, undefined]);
});
