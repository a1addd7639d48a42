"use strict";
// Shows an OpenAPI document and sends requests that it describes. Text is set as text, never as markup.
const element = (name, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
};

const resolve = (api, schema) =>
  schema && schema.$ref ? schema.$ref.split("/").slice(1).reduce((value, key) => value[key], api) : schema || {};

const typeOf = (api, schema) => {
  schema = resolve(api, schema);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.anyOf) return schema.anyOf.map((part) => typeOf(api, part)).join(" | ");
  const type = [].concat(schema.type || "any").join(" | ") + (schema.format ? ` (${schema.format})` : "");
  return schema.type === "array" ? `list of ${typeOf(api, schema.items)}` : type;
};

const example = (api, schema) => {
  schema = resolve(api, schema);
  if (schema.enum) return schema.enum[0];
  const type = [].concat(schema.type || "object")[0];
  if (type === "object") {
    const required = schema.required || [];
    return Object.fromEntries(required.map((name) => [name, example(api, schema.properties[name])]));
  }
  if (type === "array") return [];
  if (type === "boolean") return true;
  if (type === "integer" || type === "number") return Math.max(schema.minimum ?? 0, 0);
  if (schema.format === "uuid") return "00000000-0000-0000-0000-000000000000";
  if (schema.format === "date-time") return new Date().toISOString();
  return "text";
};

const send = async (path, method, operation, inputs, body, output) => {
  const query = new URLSearchParams();
  const headers = {};
  const token = document.getElementById("token").value.trim().replace(/^bearer /i, "");
  if (token) headers.authorization = `Bearer ${token}`;
  for (const parameter of operation.parameters || []) {
    const value = inputs.get(parameter.name).value;
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value === "") continue;
    else if (parameter.in === "query") query.set(parameter.name, value);
    else headers[parameter.name] = value;
  }
  if (body) headers["content-type"] = Object.keys(operation.requestBody.content)[0];
  const target = path + (query.size ? `?${query}` : "");
  output.textContent = "…";
  try {
    const response = await fetch(target, { method: method.toUpperCase(), headers, body: body ? body.value : undefined });
    const text = await response.text();
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it is */ }
    const tag = response.headers.get("etag");
    output.textContent = `${response.status} ${response.statusText}${tag ? `\nETag: ${tag}` : ""}\n\n${shown}`;
  } catch (error) {
    output.textContent = String(error);
  }
};

const render = (api, path, method, operation) => {
  const details = element("details");
  details.append(element("summary", {},
    element("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
    element("code", { textContent: path }), ` ${operation.summary || ""}`));
  details.addEventListener("toggle", () => {
    if (details.childElementCount > 1) return;
    if (operation.description) details.append(element("p", { className: "muted", textContent: operation.description }));
    const inputs = new Map();
    const table = element("table");
    for (const parameter of operation.parameters || []) {
      const input = element("input", { placeholder: typeOf(api, parameter.schema) });
      inputs.set(parameter.name, input);
      table.append(element("tr", {}, element("td", {}, element("code", { textContent: parameter.name })),
        element("td", {}, input), element("td", { className: "muted", textContent: parameter.description || "" })));
    }
    details.append(table);
    let body = null;
    if (operation.requestBody) {
      const [[type, { schema }]] = Object.entries(operation.requestBody.content);
      const known = resolve(api, schema);
      const fields = Object.entries(known.properties || {}).map(([name, field]) =>
        `${name}${(known.required || []).includes(name) ? "" : "?"}: ${typeOf(api, field)}`);
      details.append(element("pre", { textContent: fields.join("\n") }));
      const filled = example(api, schema);
      const isForm = type === "application/x-www-form-urlencoded";
      body = element("textarea", { value: isForm ? String(new URLSearchParams(filled)) : JSON.stringify(filled, null, 2) });
      details.append(body);
    }
    const output = element("pre", { textContent: Object.entries(operation.responses)
      .map(([status, response]) => `${status}  ${response.description}`).join("\n") });
    const button = element("button", { textContent: "Send" });
    button.addEventListener("click", () => send(path, method, operation, inputs, body, output));
    details.append(button, output);
  });
  return details;
};

const show = (api) => {
  document.title = `${api.info.title} API`;
  document.getElementById("title").textContent = api.info.title;
  document.getElementById("about").textContent = api.info.summary || "";
  const main = document.getElementById("operations");
  main.replaceChildren();
  // At the gateway: services whose part is old, or is not there.
  for (const absence of api["x-vitrine-unavailable"] || []) {
    main.append(element("p", { textContent: `${absence.service}: ${absence.problem} (its document: ${absence.document})` }));
  }
  const about = new Map((api.tags || []).map((tag) => [tag.name, tag.description || ""]));
  const tags = new Map();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (!operation.responses) continue;
      const tag = (operation.tags || ["other"])[0];
      if (!tags.has(tag)) tags.set(tag, main.appendChild(element("section", {},
        element("h2", { textContent: tag }), element("p", { className: "muted", textContent: about.get(tag) || "" }))));
      tags.get(tag).append(render(api, path, method, operation));
    }
  }
};

const part = location.pathname.match(/^\/docs\/([^/]+)\/?$/);
fetch(part ? `/docs/${part[1]}/openapi.json` : "/openapi.json").then((response) => response.json()).then(show).catch((error) => {
  document.getElementById("operations").textContent = String(error);
});
