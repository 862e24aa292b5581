// Every word of the console is in words.json, in both languages. `{name}` marks what is filled in.

const KEPT = "sunbeon.language";
let words = {};
export let language = "ko";

export async function loadWords() {
  words = await (await fetch("/console/words.json")).json();
  const known = localStorage.getItem(KEPT) || (navigator.language.startsWith("ko") ? "ko" : "en");
  language = known in words ? known : "en";
}

export function setLanguage(chosen) {
  language = chosen;
  localStorage.setItem(KEPT, chosen);
}

export const has = (key) => key in words[language];

export function t(key, values = {}) {
  const text = words[language][key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

// What is written into the page's own elements.
export function translatePage() {
  document.documentElement.lang = language;
  document.title = t("title");
  for (const each of document.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of document.querySelectorAll("[data-t-label]")) each.setAttribute("aria-label", t(each.dataset.tLabel));
}
