// What both pages show in the same way.  Text from Kafka goes on the screen by textContent only.

const LINES = 9; // of a text, and characters, beyond which it is folded
const FOLDED_CHARACTERS = 600;
const MAX_CHARACTERS = 4000;

export function element(name, text = "", className = "") {
  const e = document.createElement(name);
  e.textContent = text;
  if (className) e.className = className;
  return e;
}

// One that is long is folded, and says how long it is.
export function textElement(text) {
  const box = element("div");
  const body = element("div", "", "text");
  // Lines break behind commas, if they can.
  for (const piece of shortened(text).split(/(?<=,)/)) body.append(piece, element("wbr"));
  box.append(body);
  const lines = text.split("\n").length;
  if (lines <= LINES && text.length <= FOLDED_CHARACTERS) return box;
  const size = lines > LINES ? `${lines} lines` : `${text.length} characters`;
  const button = element("button", `${size}, show all`, "more");
  button.type = "button";
  button.ariaExpanded = "false";
  button.addEventListener("click", () => {
    const isOpen = body.classList.toggle("whole");
    button.ariaExpanded = String(isOpen);
    button.textContent = `${size}, show ${isOpen ? "less" : "all"}`;
  });
  body.classList.add("long");
  box.append(button);
  return box;
}

export function shortened(text) {
  if (text.length <= MAX_CHARACTERS) return text;
  return `${text.slice(0, MAX_CHARACTERS)} ... (${text.length} characters)`;
}
