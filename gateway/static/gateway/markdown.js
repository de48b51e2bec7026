// A part of Markdown as DOM nodes: code blocks, headings, lists, quotes, tables, bold, italic, struck, code, links. Text only
// ever enters as text nodes, so that nothing in an answer can become markup; links lead to the web alone, and pictures
// are links, since nothing is loaded from elsewhere.
"use strict";

const MARKDOWN = {
  // Nodes for a text that may end anywhere, as a stream's does. `above`: the level of the heading that it stands below.
  render(text, above = { level: 1 }) {
    const lines = text.replaceAll("\r\n", "\n").split("\n");
    const nodes = [];
    let at = 0;
    while (at < lines.length) {
      const block = BLOCKS.find((each) => each.begins(lines[at], lines[at + 1]));
      const end = block.end(lines, at);
      nodes.push(...block.nodes(lines.slice(at, end), above));
      at = end;
    }
    return nodes;
  },
};

const FENCE = /^\s{0,3}(`{3,}|~{3,})\s*([^`]*)$/;
const HEADING = /^(#{1,6})\s+(.*)$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^>\s?/;
const RULE = /^\s{0,3}([-*_])(\s*\1){2,}\s*$/;
const DELIMITERS = /^\s{0,3}\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
const INLINE = new RegExp([
  /(?<ticks>`+)(?<code>[\s\S]*?[^`])\k<ticks>(?!`)/,
  /\*\*(?=\S)(?<bold>[\s\S]+?\S|\S)\*\*/,
  /\*(?=[^\s*])(?<italic>[^*\n]*[^\s*])\*/,
  /~~(?=\S)(?<struck>[^\n]*?\S)~~/,
  /!?\[(?<label>(?:\[[^\]\n]*\]|[^[\]\n])+)\]\((?<target>https?:\/\/(?:\([^\s()]*\)|[^\s()])+)(?:\s+"[^"\n]*")?\)/,
  /<?(?<bare>https?:\/\/[^\s<>"'`*~|，。；：！？、（）《》“”]*[^\s<>"'`*~|，。；：！？、（）《》“”.,;:!?)\]])>?/,
].map((each) => each.source).join("|"), "g");

function element(name, children = []) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function inline(text) {
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(INLINE)) {
    nodes.push(text.slice(from, found.index), marked(found));
    from = found.index + found[0].length;
  }
  nodes.push(text.slice(from));
  return nodes;
}

function marked({ groups: { ticks, code, bold, italic, struck, label, target, bare } }) {
  if (ticks) {
    return element("code", [code.trim() || code]);
  }
  if (bold !== undefined) {
    return element("strong", inline(bold));
  }
  if (italic !== undefined) {
    return element("em", inline(italic));
  }
  if (struck !== undefined) {
    return element("del", inline(struck));
  }
  return bare ? link(bare, [bare]) : link(target, inline(label).map((node) => (node.nodeName === "A" ? node.textContent : node)));
}

function link(address, children) {
  const made = element("a", children);
  made.href = address;
  made.target = "_blank";
  made.rel = "noreferrer noopener";
  return made;
}

// The line after the last one from `at` on for which `goes` holds.
function reach(lines, at, goes) {
  let end = at + 1;
  while (end < lines.length && goes(lines[end], lines[end + 1])) {
    end += 1;
  }
  return end;
}

// Whether an item's mark is a number; undefined where the line is no item.
function isNumbered(line) {
  const found = ITEM.exec(line);
  return found ? /\d/.test(found[2]) : undefined;
}

function isPlain(line, next) {
  return line.trim() !== "" && BLOCKS.find((block) => block.begins(line, next)) === BLOCKS.at(-1);
}

function cells(line) {
  return line.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function beginsTable(line, next = "") {
  return line.includes("|") && DELIMITERS.test(next) && cells(line).length === cells(next).length;
}

const BLOCKS = [
  {
    begins: (line) => line.trim() === "",
    end: (lines, at) => at + 1,
    nodes: () => [],
  },
  {
    begins: (line) => FENCE.test(line),
    end(lines, at) {
      const [, fence] = FENCE.exec(lines[at]);
      const end = reach(lines, at, (line) => !(line.trim().startsWith(fence) && /^\s*[`~]+\s*$/.test(line)));
      return Math.min(end + 1, lines.length);
    },
    nodes(lines) {
      const closed = lines.length > 1 && /^\s*[`~]{3,}\s*$/.test(lines.at(-1));
      const code = element("code", [lines.slice(1, closed ? -1 : undefined).join("\n")]);
      const block = element("pre", [code]);
      block.className = "code";
      block.tabIndex = 0;
      return [block];
    },
  },
  {
    begins: (line) => HEADING.test(line),
    end: (lines, at) => at + 1,
    // Below the page's own heading, and never more than one level deeper than the heading before.
    nodes([line], above) {
      const [, marks, text] = HEADING.exec(line);
      above.level = Math.min(marks.length + 1, above.level + 1, 6);
      return [element(`h${above.level}`, inline(text))];
    },
  },
  {
    begins: (line) => RULE.test(line),
    end: (lines, at) => at + 1,
    nodes: () => [element("hr")],
  },
  {
    begins: (line) => QUOTE.test(line),
    end: (lines, at) => reach(lines, at, (line) => QUOTE.test(line)),
    nodes: (lines, above) => [element("blockquote", MARKDOWN.render(lines.map((line) => line.replace(QUOTE, "")).join("\n"), above))],
  },
  {
    begins: (line) => ITEM.test(line),
    end: (lines, at) => reach(lines, at, (line) => /^\s+\S/.test(line) || isNumbered(line) === isNumbered(lines[at])),
    nodes: (lines) => [listOf(lines)],
  },
  {
    begins: beginsTable,
    end: (lines, at) => reach(lines, at + 1, isPlain),
    nodes: ([head, delimiters, ...rows]) => [tableOf(head, cells(delimiters).map(sideOf), rows)],
  },
  {
    begins: () => true,
    end: (lines, at) => reach(lines, at, isPlain),
    nodes: (lines) => [element("p", inline(lines.join("\n")))],
  },
];

function sideOf(delimiter) {
  return delimiter.endsWith(":") ? (delimiter.startsWith(":") ? "center" : "right") : "";
}

// In a box of its own, in which it can be wider than the page.
function tableOf(head, sides, rows) {
  const row = (name, line) => {
    const texts = cells(line);
    return element("tr", sides.map((side, at) => {
      const cell = element(name, inline(texts[at] ?? ""));
      cell.style.textAlign = side;
      return cell;
    }));
  };
  const body = element("tbody", rows.map((line) => row("td", line)));
  const box = element("div", [element("table", [element("thead", [row("th", head)]), body])]);
  box.className = "table-box";
  box.tabIndex = 0;
  return box;
}

// A list, with lists inside of its items by their indent.
function listOf(lines) {
  const [, indent, mark] = ITEM.exec(lines[0]);
  const list = element(isNumbered(lines[0]) ? "ol" : "ul");
  if (isNumbered(lines[0])) {
    list.start = parseInt(mark, 10);
  }
  let item = [];
  const close = () => {
    if (item.length) {
      list.append(itemOf(item));
    }
  };
  for (const line of lines) {
    const found = ITEM.exec(line);
    if (found && found[1].length <= indent.length) {
      close();
      item = [found[3]];
    } else {
      item.push(line);
    }
  }
  close();
  return list;
}

function itemOf([first, ...rest]) {
  const nested = rest.findIndex((line) => ITEM.test(line));
  const own = nested < 0 ? rest : rest.slice(0, nested);
  const item = element("li", inline([first, ...own.map((line) => line.trim())].join("\n")));
  if (nested >= 0) {
    item.append(listOf(rest.slice(nested)));
  }
  return item;
}
