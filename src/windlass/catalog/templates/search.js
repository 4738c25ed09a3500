"use strict";
(() => {
  const box = document.getElementById("search");
  const rows = [...document.querySelectorAll("tbody tr[data-text]")];
  const buttons = [...document.querySelectorAll("button[data-state]")];
  const count = document.getElementById("count");
  const plain = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();  // names have no accents, either
  const texts = new Map(rows.map(row => [row, plain(row.dataset.text)]));
  let state = "";

  function show() {
    const words = plain(box.value).split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = words.every(word => texts.get(row).includes(word))
        && (!state || row.dataset.states.split(" ").includes(state));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length}`;
  }

  box.addEventListener("input", show);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      state = button.dataset.state;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      show();
    });
  }
  document.addEventListener("keydown", event => {
    if (event.key === "/" && document.activeElement !== box) { event.preventDefault(); box.focus(); }
    if (event.key === "Escape" && document.activeElement === box) { box.value = ""; show(); }
  });
  document.querySelector(".tools").hidden = false;
  show();
})();
