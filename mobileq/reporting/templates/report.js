"use strict";
// Everything works without this: it adds what a page alone can't do.
for (const button of document.querySelectorAll("button[hidden]")) button.hidden = false;

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", () => {
    const source = document.getElementById(button.dataset.copies);
    const done = () => { button.textContent = "Copied"; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
    const selected = () => {
      // A page opened from disk may not reach the clipboard in every browser.
      getSelection().selectAllChildren(source);
      if (document.execCommand("copy")) done();
    };
    if (navigator.clipboard) navigator.clipboard.writeText(source.textContent).then(done, selected);
    else selected();
  });
}

// Two answers on top of each other; the boundary between them is moved by hand or by keyboard.
const slide = document.getElementById("slide");
if (slide) {
  slide.disabled = false;
  for (const pair of document.querySelectorAll(".pair")) {
    const views = [...pair.querySelectorAll(".view")];
    const [left, right] = [".left", ".right"].map((name) => pair.querySelector(name));
    const range = pair.querySelector("input[type=range]");
    const place = () => {
      const chosen = [left ? left.selectedIndex : 0, right ? right.selectedIndex : 1];
      views.forEach((view, at) => {
        view.classList.toggle("at-left", at === chosen[0]);
        view.classList.toggle("at-right", at === chosen[1] && at !== chosen[0]);
        view.style.setProperty("--at", `${range.value}%`);
      });
    };
    for (const each of [left, right, range]) if (each) each.addEventListener("input", place);
    slide.addEventListener("change", () => {
      pair.classList.toggle("sliding", slide.checked);
      pair.querySelector(".slider").hidden = !slide.checked;
      place();
    });
  }
}

// What is folded away is printed too.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const each of folded) each.open = true;
});
addEventListener("afterprint", () => { for (const each of folded) each.open = false; });
