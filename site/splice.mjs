// Puts the student's answers into the skeleton of the package, as checks/source.py does in the notebook.
// Text in, text out. There is no Python on this page: the build says which lines each exercise has.

const OPEN = new Set("([{");
const CLOSE = new Set(")]}");
const PREFIX = /(?:[rR]?[bBfFtT]|[bBfFtT][rR]|[rRuU])?(?='''|"""|'|")/y;
const WORD = /[\p{L}\p{N}_]+/uy;
const BLANK = /^[\s\x1c-\x1f\x85]*$/;

export class NotPython extends Error {}

export const linesOf = (text) => text.replace(/\r\n?/g, "\n").replace(/\n+$/, "").split("\n");

// ---- just enough of Python's tokens ------------------------------------------------------------

/** End of the string literal whose quotes begin at `start`; `kind` is its prefix in lower case. */
function endOfString(text, start, kind) {
  const quotes = text.startsWith(text[start].repeat(3), start) ? text[start].repeat(3) : text[start];
  const [raw, formatted] = [kind.includes("r"), /[ft]/.test(kind)];
  let i = start + quotes.length;
  while (i < text.length) {
    if (text.startsWith(quotes, i)) return i + quotes.length;
    if (text[i] === "\\") {
      if (formatted && !raw && text.startsWith("\\N{", i)) i = text.indexOf("}", i);
      else i += formatted && text[i + 1] === "{" ? 0 : 1;
      if (i < 0) break;
    } else if (text[i] === "\n" && quotes.length === 1) {
      break;
    } else if (formatted && text[i] === "{") {
      if (text[i + 1] !== "{") i = endOfField(text, i + 1, quotes) - 1;
      else i += 1;
    }
    i += 1;
  }
  throw new NotPython("a string is not closed");
}

/** End of a replacement field of an f-string: an expression, then perhaps a format that holds fields itself. */
function endOfField(text, start, quotes) {
  let depth = 0;
  let i = start;
  while (i < text.length) {
    const character = text[i];
    const string = stringAt(text, i);
    if (string) {
      i = string.end;
      continue;
    }
    if (character === "}" && depth === 0) return i + 1;
    if (character === ":" && depth === 0) return endOfFormat(text, i + 1, quotes);
    if (character === "#") while (i + 1 < text.length && text[i + 1] !== "\n") i += 1;
    if (OPEN.has(character)) depth += 1;
    if (CLOSE.has(character)) depth -= 1;
    WORD.lastIndex = i;
    i += WORD.exec(text)?.[0].length ?? 1;
  }
  throw new NotPython("a field of an f-string is not closed");
}

function endOfFormat(text, start, quotes) {
  for (let i = start; i < text.length && !text.startsWith(quotes, i); i += 1) {
    if (text[i] === "}") return i + 1;
    if (text[i] === "{") i = endOfField(text, i + 1, quotes) - 1;
  }
  throw new NotPython("a format of an f-string is not closed");
}

/** The string literal that begins at `i`, or null. */
function stringAt(text, i) {
  PREFIX.lastIndex = i;
  const found = PREFIX.exec(text);
  if (!found) return null;
  const kind = found[0].toLowerCase();
  return { kind, end: endOfString(text, i + found[0].length, kind) };
}

/** Logical lines of a text: lists of tokens {text, kind, first, last, column, depth}, without comments. */
function logicalLines(text) {
  const lines = [];
  let tokens = [];
  let [depth, line, lineStart, i] = [0, 1, 0, 0];
  const add = (end, kind) => {
    const token = { text: text.slice(i, end), kind, first: line, column: i - lineStart, depth };
    for (let at = text.indexOf("\n", i); at >= 0 && at < end; at = text.indexOf("\n", at + 1)) {
      line += 1;
      lineStart = at + 1;
    }
    tokens.push({ ...token, last: line });
    i = end;
  };
  const endLine = () => {
    if (tokens.length > 0) lines.push(tokens);
    tokens = [];
  };
  while (i < text.length) {
    const character = text[i];
    const string = stringAt(text, i);
    WORD.lastIndex = i;
    const word = string ? null : WORD.exec(text);
    if (string) add(string.end, `string ${string.kind}`);
    else if (word) add(i + word[0].length, "word");
    else if (character === "#") while (i < text.length && text[i] !== "\n") i += 1;
    else if (character === "\n" || (character === "\\" && text[i + 1] === "\n")) {
      if (character === "\n" && depth === 0) endLine();
      i = text.indexOf("\n", i) + 1;
      line += 1;
      lineStart = i;
    } else if (/\s/.test(character)) i += 1;
    else {
      if (CLOSE.has(character)) depth -= 1;
      add(i + 1, "sign");
      if (OPEN.has(character)) depth += 1;
    }
  }
  if (depth !== 0) throw new NotPython("a bracket is not closed");
  endLine();
  return lines;
}

const definesSomething = ([first, second]) =>
  first.text === "def" || first.text === "class" || (first.text === "async" && second?.text === "def");

/** Docstrings: strings that are the whole first statement of a function or class. */
function docstrings(lines) {
  const found = new Set();
  lines.forEach((tokens, number) => {
    if (!definesSomething(tokens)) return;
    const colon = tokens.findIndex(({ text, depth }) => text === ":" && depth === 0);
    const inline = tokens.slice(colon + 1);
    const [token, next] = inline.length > 0 ? inline : lines[number + 1] ?? [];
    if (token && /^string [ru]?$/.test(token.kind) && (!next || next.text === ";")) found.add(token);
  });
  return found;
}

/** Numbers of lines that begin inside a string which must keep its content; docstrings are left out. */
function stringLines(text) {
  const lines = logicalLines(text);
  const docs = docstrings(lines);
  const inside = new Set();
  for (const token of lines.flat()) {
    if (!token.kind.startsWith("string") || docs.has(token)) continue;
    for (let line = token.first + 1; line <= token.last; line += 1) inside.add(line);
  }
  return inside;
}

// ---- answers -----------------------------------------------------------------------------------

export function indent(text, width) {
  if (width === 0) return text;
  const keep = stringLines(text);
  const pad = " ".repeat(width);
  return linesOf(text).map((line, i) => (BLANK.test(line) || keep.has(i + 1) ? line : pad + line)).join("\n");
}

/** The lines of an answer's definitions, without comments before and after them. */
export function onlyDefinition(answer) {
  const text = linesOf(answer).join("\n");
  const lines = logicalLines(text);
  const isTop = (tokens) => tokens[0].column === 0;
  const begins = (tokens) => isTop(tokens) && (tokens[0].text === "@" || definesSomething(tokens));
  const first = lines.findIndex(begins);
  if (first < 0) throw new NotPython("there is no definition");
  let last = lines.findLastIndex((tokens) => isTop(tokens) && definesSomething(tokens));
  while (last + 1 < lines.length && !isTop(lines[last + 1])) last += 1;
  return linesOf(text).slice(lines[first][0].first - 1, lines[last].at(-1).last).join("\n");
}

/** A file of the package with answers [{indent, cuts, source}] in the places of their stubs. */
export function splice(text, answers) {
  const lines = linesOf(text);
  const cuts = answers.flatMap(({ indent: width, cuts: [[first, last], ...others], source }) => [
    { first, last, body: linesOf(indent(onlyDefinition(source), width)) },
    ...others.map(([start, end]) => ({ first: start, last: end, body: [] })),
  ]);
  for (const { first, last, body } of cuts.sort((a, b) => b.first - a.first)) {
    lines.splice(first - 1, last - first + 1, ...body);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * The student's package: {files: {path: text}, leftOut: [names]}.
 * data: skeleton.json of the build. entries: the exercises of the work document. filled: {name: source} of the
 * exercises that were filled in from the reference. An answer that is not Python is left out, and its stub stays.
 */
export function assemble(data, entries, filled = {}) {
  const byFile = {};
  const leftOut = [];
  for (const [name, { file, indent: width, cuts }] of Object.entries(data.exercises)) {
    const entry = Object.hasOwn(entries, name) ? entries[name] : null;
    const source = (entry?.given && filled[name]) || entry?.source;
    if (!source) continue;
    try {
      indent(onlyDefinition(source), width);
    } catch (error) {
      if (!(error instanceof NotPython)) throw error;
      leftOut.push(name);
      continue;
    }
    (byFile[file] ??= []).push({ indent: width, cuts, source });
  }
  const files = Object.fromEntries(
    Object.entries(data.files).map(([path, text]) => [path, byFile[path] ? splice(text, byFile[path]) : text]),
  );
  return { files, leftOut };
}
