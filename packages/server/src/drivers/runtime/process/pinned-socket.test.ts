import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PinnedSocket } from "./pinned-socket.ts";

describe("a pinned socket", () => {
  let directory: string;
  const servers: Server[] = [];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "pinned-"));
  });
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
    rmSync(directory, { recursive: true });
  });

  async function serve(name: string): Promise<string> {
    const path = join(directory, name);
    const server = createServer((socket) => socket.end(name));
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return path;
  }

  it("still leads to the socket when its name leads elsewhere", async () => {
    const [own, engine] = [await serve("own"), await serve("engine")];
    using pinned = PinnedSocket.open(own) ?? expect.fail("it is there");
    renameSync(own, `${own}.away`);
    symlinkSync(engine, own);
    expect(await text(connect(own))).toBe("engine");
    expect(await text(connect(pinned.path))).toBe("own");
  });

  it("is no file, no link and nothing that is not there", async () => {
    const link = join(directory, "link");
    symlinkSync(await serve("target"), link);
    writeFileSync(join(directory, "file"), "");
    for (const path of [link, join(directory, "file"), directory, join(directory, "absent")])
      expect(PinnedSocket.open(path)).toBeUndefined();
  });

  it("leads nowhere once it is disposed, whoever gets its descriptor next", async () => {
    const pinned = PinnedSocket.open(await serve("first")) ?? expect.fail("it is there");
    pinned[Symbol.dispose]();
    using next = PinnedSocket.open(await serve("second")) ?? expect.fail("it is there");
    expect(await text(connect(next.path))).toBe("second");
    await expect(text(connect(pinned.path))).rejects.toThrow(/ENOENT/);
  });
});
