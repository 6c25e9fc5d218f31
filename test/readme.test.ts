import { expect, test } from "bun:test";
import { ConfigSchema, rule, type SettingName } from "../src/config.ts";

const BEGIN = "<!-- settings: generated, UPDATE=1 bun test test/readme.test.ts -->";
const END = "<!-- end of settings -->";

function settingsTable(): string {
  const rows = (Object.keys(ConfigSchema.properties) as SettingName[]).map((name) => {
    const { description, default: fallback } = ConfigSchema.properties[name];
    const shown = fallback === "" ? "" : `\`${fallback}\``;
    return `| \`${name}\` | ${shown} | ${description} | ${rule(name)} |`;
  });
  return ["| variable | default | | may be |", "|---|---|---|---|", ...rows].join("\n");
}

test("the README lists every setting as the schema has it", async () => {
  const readme = await Bun.file("README.md").text();
  const before = readme.slice(0, readme.indexOf(BEGIN) + BEGIN.length);
  const after = readme.slice(readme.indexOf(END));
  const wanted = `${before}\n${settingsTable()}\n${after}`;
  if (process.env.UPDATE) await Bun.write("README.md", wanted);
  else expect(readme).toBe(wanted);
});

test("the README names only files that are there", async () => {
  const readme = await Bun.file("README.md").text();
  for (const [, path] of readme.matchAll(/\]\(([\w./-]+)\)/g)) {
    expect(await Bun.file(path!).exists(), path).toBe(true);
  }
});
