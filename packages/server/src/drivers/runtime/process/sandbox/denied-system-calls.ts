/** What a kernel calls a system call on each processor that the filter knows; undefined: there is none. */
export interface SystemCall {
  readonly x64: number | undefined;
  readonly arm64: number | undefined;
}

const call = (x64: number | undefined, arm64: number | undefined = x64): SystemCall => ({ x64, arm64 });
const only64 = (x64: number): SystemCall => ({ x64, arm64: undefined });

/**
 * What no function needs and what attacks on kernels begin with. They answer EPERM, as they would for want of a
 * capability. Numbers: arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h of Linux.
 */
export const deniedSystemCalls: Readonly<Record<string, SystemCall>> = {
  // Mounting and changing the root.
  mount: call(165, 40),
  umount2: call(166, 39),
  pivot_root: call(155, 41),
  chroot: call(161, 51),
  open_tree: call(428),
  move_mount: call(429),
  fsopen: call(430),
  fsconfig: call(431),
  fsmount: call(432),
  fspick: call(433),
  mount_setattr: call(442),
  // Namespaces; `clone` is looked at by its flags.
  unshare: call(272, 97),
  setns: call(308, 268),
  // Other processes.
  ptrace: call(101, 117),
  process_vm_readv: call(310, 270),
  process_vm_writev: call(311, 271),
  process_madvise: call(440),
  pidfd_getfd: call(438),
  kcmp: call(312, 272),
  move_pages: call(279, 239),
  migrate_pages: call(256, 238),
  // Keys of the kernel, which no namespace separates.
  add_key: call(248, 217),
  request_key: call(249, 218),
  keyctl: call(250, 219),
  // Programs, events and page faults of the kernel.
  bpf: call(321, 280),
  perf_event_open: call(298, 241),
  userfaultfd: call(323, 282),
  fanotify_init: call(300, 262),
  // Files beside the tree that one sees.
  name_to_handle_at: call(303, 264),
  open_by_handle_at: call(304, 265),
  // The machine itself.
  kexec_load: call(246, 104),
  kexec_file_load: call(320, 294),
  reboot: call(169, 142),
  swapon: call(167, 224),
  swapoff: call(168, 225),
  init_module: call(175, 105),
  finit_module: call(313, 273),
  delete_module: call(176, 106),
  acct: call(163, 89),
  quotactl: call(179, 60),
  quotactl_fd: call(443),
  sethostname: call(170, 161),
  setdomainname: call(171, 162),
  settimeofday: call(164, 170),
  clock_settime: call(227, 112),
  clock_adjtime: call(305, 266),
  adjtimex: call(159, 171),
  syslog: call(103, 116),
  vhangup: call(153, 58),
  lookup_dcookie: call(212, 18),
  nfsservctl: call(180, 42),
  iopl: only64(172),
  ioperm: only64(173),
  modify_ldt: only64(154),
  uselib: only64(134),
  ustat: only64(136),
  sysfs: only64(139),
  _sysctl: only64(156),
  create_module: only64(174),
  get_kernel_syms: only64(177),
  query_module: only64(178),
};

/** They answer ENOSYS: programs that know them try, and do without. */
export const absentSystemCalls: Readonly<Record<string, SystemCall>> = {
  // Its flags lie in memory, where a filter cannot look; the C libraries fall back to `clone`.
  clone3: call(435),
  io_uring_setup: call(425),
  io_uring_enter: call(426),
  io_uring_register: call(427),
};

/** They are judged by an argument. */
export const judgedSystemCalls = {
  clone: call(56, 220),
  socket: call(41, 198),
  socketpair: call(53, 199),
  ioctl: call(16, 29),
  personality: call(135, 92),
} as const;

/** removexattrat (Linux 6.13). Whatever came later answers ENOSYS: nobody has looked at it. */
export const newestSystemCall = 466;
