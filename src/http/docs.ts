import { fileURLToPath } from "node:url";

/** The API's page: Swagger UI from our own port, with nothing loaded from another host. */
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ad exchange</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;
/** No validator: its default would send our URL to validator.swagger.io. */
const START = `SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});
`;
const POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

const TYPES = { css: "text/css", js: "text/javascript", html: "text/html" } as const;

/** The page and its files by path. Read at the first request of each, never by an auction. */
export function createDocs(): Map<string, () => Response> {
  const asset = (name: string) =>
    Bun.file(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`)));
  return new Map([
    ["/docs", () => page(PAGE, "html")],
    ["/docs/start.js", () => page(START, "js")],
    ["/docs/swagger-ui.css", () => page(asset("swagger-ui.css"), "css")],
    ["/docs/swagger-ui-bundle.js", () => page(asset("swagger-ui-bundle.js"), "js")],
  ]);
}

const page = (content: string | Blob, type: keyof typeof TYPES) =>
  new Response(content, {
    headers: {
      "content-type": `${TYPES[type]}; charset=utf-8`,
      "cache-control": "no-cache",
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
    },
  });
