import { refuse, refuseTooLarge } from "./archive-refused.ts";

export interface ArchiveLimits {
  /** Files, folders (those that are only implied included) and links together. */
  readonly entriesMax: number;
  /** Of the unpacked tar, headers included. */
  readonly bytesMax: number;
  /** Of the path of one entry. */
  readonly pathBytesMax: number;
  /** Unpacked bytes per packed byte, for archives that unpack to more than 16 MiB. */
  readonly ratioMax: number;
}

/** What tar says about one entry. */
export interface ArchiveHeader {
  readonly name: string;
  /** undefined: a type that tar knows and we do not. */
  readonly type: string | undefined;
  readonly bytes: number;
  readonly mode: number;
  readonly linkTarget: string | undefined;
}

export type ArchiveNode =
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "file"; readonly path: string; readonly isExecutable: boolean }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

const componentBytesMax = 255;
/** As Linux: more links on one way than this are taken for a circle. */
const linksFollowedMax = 40;
// U+FFFD is what an invalid UTF-8 sequence decodes to: two different names could become one.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const forbiddenInNames = /[\u0000-\u001f\u007f\\\ufffd]/;

/**
 * The files, folders and links an archive would make, checked as they arrive. Pure: it decides, others write.
 * Nothing that passes lies or points outside of the archive's root, has a special type, or meets another name on a
 * disk that folds case or normalises Unicode.
 */
export class ArchiveTree {
  readonly #limits: ArchiveLimits;
  readonly #nodes = new Map<string, ArchiveNode>();
  readonly #named = new Set<string>();
  /** Folded path → path. */
  readonly #folded = new Map<string, string>();

  constructor(limits: ArchiveLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** The links in the order they came. */
  *links(): IterableIterator<ArchiveNode & { readonly kind: "link" }> {
    for (const node of this.#nodes.values()) if (node.kind === "link") yield node;
  }

  /** Every folder, parents first. */
  *folders(): IterableIterator<string> {
    for (const node of this.#nodes.values()) if (node.kind === "folder") yield node.path;
  }

  /** Checks one entry; undefined for the root itself, which is there anyway. Throws ArchiveRefused. */
  add(header: ArchiveHeader): ArchiveNode | undefined {
    const path = checkedPath(header.name, this.#limits.pathBytesMax);
    const node = checkedNode(header, path);
    if (path === "") {
      if (node.kind !== "folder") throw refuse(`'${header.name}' names the root but is not a folder`);
      return undefined;
    }
    this.#addParents(path);
    const known = this.#nodes.get(path);
    if (this.#named.has(path) || (known !== undefined && (known.kind !== "folder" || node.kind !== "folder")))
      throw refuse(`'${path}' stands in it twice`);
    this.#named.add(path);
    if (known === undefined) this.#insert(node);
    return node;
  }

  /** Follows every link through the tree as a kernel would. Throws ArchiveRefused for one that leaves it. */
  checkLinks(): void {
    for (const link of this.links()) {
      const end = this.#follow(link);
      if (end === "outside") throw refuse(`the link '${link.path}' points out of the archive`);
      if (end === "nothing") throw refuse(`the link '${link.path}' points at nothing`);
    }
  }

  #addParents(path: string): void {
    for (let slash = path.indexOf("/"); slash !== -1; slash = path.indexOf("/", slash + 1)) {
      const parent = path.slice(0, slash);
      const node = this.#nodes.get(parent);
      if (node === undefined) this.#insert({ kind: "folder", path: parent });
      else if (node.kind !== "folder") throw refuse(`'${path}' lies below '${parent}', which is not a folder`);
    }
  }

  #insert(node: ArchiveNode): void {
    if (this.#nodes.size >= this.#limits.entriesMax)
      throw refuseTooLarge("the number of entries", this.#limits.entriesMax);
    const folded = node.path.normalize("NFC").toLowerCase();
    const twin = this.#folded.get(folded);
    if (twin !== undefined) throw refuse(`'${node.path}' and '${twin}' differ only in case or Unicode form`);
    this.#folded.set(folded, node.path);
    this.#nodes.set(node.path, node);
  }

  #follow(link: ArchiveNode & { readonly kind: "link" }): "inside" | "outside" | "nothing" {
    const at = link.path.split("/").slice(0, -1);
    const ahead = link.target.split("/").reverse();
    let followed = 0;
    for (let part = ahead.pop(); part !== undefined; part = ahead.pop()) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (at.pop() === undefined) return "outside";
        continue;
      }
      const node = this.#nodes.get([...at, part].join("/"));
      if (node === undefined) return "nothing";
      if (node.kind === "link") {
        if (++followed > linksFollowedMax) return "nothing";
        ahead.push(...node.target.split("/").reverse());
      } else if (node.kind === "file" && ahead.length > 0) return "nothing";
      else at.push(part);
    }
    return "inside";
  }
}

/** The path without `./` before and `/` after it; empty for the root. */
function checkedPath(name: string, pathBytesMax: number): string {
  if (forbiddenInNames.test(name))
    throw refuse(`the name ${JSON.stringify(name.slice(0, 200))} holds a character that is not allowed`);
  if (name.startsWith("/")) throw refuse(`'${name.slice(0, 200)}' is an absolute path`);
  const path = name.replace(/^(\.\/)+/, "").replace(/\/$/, "");
  if (path === "" || path === ".") {
    if (name === "") throw refuse("an entry has no name");
    return "";
  }
  if (Buffer.byteLength(path) > pathBytesMax) throw refuseTooLarge("the bytes of a path", pathBytesMax);
  for (const component of path.split("/")) {
    if (component === "..") throw refuse(`'${path}' leads out of the archive`);
    if (component === "" || component === ".") throw refuse(`'${path}' is not a plain path`);
    if (Buffer.byteLength(component) > componentBytesMax)
      throw refuseTooLarge("the bytes of a file name", componentBytesMax);
  }
  return path;
}

function checkedNode(header: ArchiveHeader, path: string): ArchiveNode {
  const { type } = header;
  if (type === "file") return { kind: "file", path, isExecutable: (header.mode & 0o111) !== 0 };
  // Readers disagree on whether content follows such a header; what one skips another takes for entries.
  if (header.bytes !== 0) throw refuse(`'${path}' is no file but has content`);
  if (type === "directory") return { kind: "folder", path };
  if (type === "symlink") return { kind: "link", path, target: checkedTarget(header.linkTarget ?? "", path) };
  throw refuse(
    `'${path}' is a ${type === "link" ? "hard link" : (type ?? "special file")}; only files, folders and symbolic links may be in it`,
  );
}

function checkedTarget(target: string, path: string): string {
  if (target === "" || forbiddenInNames.test(target))
    throw refuse(`the link '${path}' has a target that is not allowed`);
  if (target.startsWith("/")) throw refuse(`the link '${path}' points at an absolute path`);
  return target;
}
