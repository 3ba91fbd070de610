import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { compress, Edge, folderOrigin, websiteOrigin } from "../../benchmarks/edge";
import { WebsiteServer } from "../web/website-server";

const text = Buffer.from("abalone ".repeat(500));

describe("a body is sent as CloudFront sends it", () => {
  test.each([
    ["gzip, deflate, br", "br", brotliDecompressSync],
    ["gzip", "gzip", gunzipSync],
  ] as const)("to a browser that takes %s: as %s", (accepted, encoding, decompress) => {
    const sent = compress(text, "text/html; charset=utf-8", accepted);
    expect(sent.encoding).toBe(encoding);
    expect(sent.body.length).toBeLessThan(text.length / 10);
    expect(decompress(sent.body)).toEqual(text);
  });

  test.each([
    ["for who takes nothing of the kind", text, "text/html", ""],
    ["below 1,000 bytes", text.subarray(0, 999), "text/html", "br"],
    ["when it is compressed by nature", text, "image/png", "br"],
  ])("as it is %s", (_, body, type, accepted) => {
    expect(compress(body, type, accepted)).toEqual({ body });
  });
});

test("before a website it changes no content and no header of security, and counts what it sends", async () => {
  const website = await WebsiteServer.start();
  const edge = await Edge.open(websiteOrigin(new URL(website.address)));
  try {
    const [direct, through] = await Promise.all(
      [website.address, edge.address].map((address) => fetch(address, { headers: { "accept-encoding": "br" } })),
    );
    const page = await direct!.text();
    expect(await through!.text()).toBe(page);
    expect(through!.headers.get("content-encoding")).toBe("br");
    for (const name of ["content-security-policy", "cache-control", "content-type"]) {
      expect([name, through!.headers.get(name)]).toEqual([name, direct!.headers.get(name)]);
    }
    const compressed = Number(through!.headers.get("content-length"));
    expect(edge.sent).toEqual([{ path: "/", status: 200, plain: Buffer.byteLength(page), compressed }]);
  } finally {
    await edge.close();
    await website.stop();
  }
});

test("before a folder it gives its files and nothing outside of it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "site-"));
  writeFileSync(join(folder, "index.html"), "home");
  const origin = folderOrigin(folder);
  const ask = (path: string): ReturnType<typeof origin> => origin("GET", path, {}, Buffer.alloc(0));
  try {
    expect((await ask("/")).body.toString()).toBe("home");
    for (const path of ["/nothing.html", "/..%2f..%2f..%2f..%2f..%2fetc%2fhostname.txt"]) {
      expect([path, (await ask(path)).status]).toEqual([path, 404]);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
