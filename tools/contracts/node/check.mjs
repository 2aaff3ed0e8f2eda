// Reads documents by their official or usual tools, and prints what they find: `node check.mjs FOLDER KIND FILE...`.
// FOLDER holds node_modules; KIND is asyncapi or openapi. One line for each finding: file, rule, place, what.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, kind, ...files] = process.argv.slice(2);
const required = createRequire(join(folder, "package.json"));

// Every rule of the OpenAPI ruleset but these: the region's operator is the contact, and nothing here is licensed.
const UNUSED = { "info-contact": "off", "info-license": "off", "license-url": "off" };

async function asyncapi(file) {
  const { Parser, fromFile } = required("@asyncapi/parser");
  const { document, diagnostics } = await fromFile(new Parser(), file).parse();
  const found = diagnostics.map((one) => [one.code, one.path.join("/"), one.message]);
  return document || found.length ? found : [["unreadable", "", "no document came of it"]];
}

async function openapi(file) {
  const { Document, Spectral } = required("@stoplight/spectral-core");
  const { Json } = required("@stoplight/spectral-parsers");
  const { oas } = required("@stoplight/spectral-rulesets");
  const linter = new Spectral();
  linter.setRuleset({ extends: [[oas, "all"]], rules: UNUSED });
  const findings = await linter.run(new Document(readFileSync(file, "utf8"), Json, file));
  return findings.map((one) => [one.code, one.path.join("/"), one.message]);
}

const check = { asyncapi, openapi }[kind];
for (const file of files)
  for (const finding of await check(file)) console.log([file, ...finding].join(" · "));
