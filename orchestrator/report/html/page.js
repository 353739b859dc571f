// Puts in the place of each picture the chart that answers to the mouse, one after the other so that the first are
// there at once; in a part that is folded, when it is opened. `vegaEmbed` comes with the script before this one;
// nothing is fetched.
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false; // without a script there is nothing to press
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source); // a page from a file may not write: then it is ready for Ctrl-C
      button.textContent = "Selected: press Ctrl-C";
    }
  });
}
async function draw(place, spec) {
  const picture = [...place.childNodes];
  try {
    await vegaEmbed(place, spec, { renderer: "svg", actions: false });
    for (const words of place.parentElement.querySelectorAll(".pointing")) words.hidden = false;
    return true;
  } catch (error) {
    const said = document.createElement("p");
    said.className = "chart-failed";
    said.textContent = `The chart for the mouse could not be drawn: ${error.message}`;
    place.replaceChildren(...picture, said);
    return false;
  }
}
(async () => {
  const page = document.documentElement;
  const data = document.getElementById("charts"); // none where no chart needs a script
  const specs = data ? JSON.parse(data.textContent) : {};
  let drawn = 0;
  let tried = 0;
  const next = async (place, spec) => {
    if (await draw(place, spec)) drawn += 1;
    tried += 1;
    Object.assign(page.dataset, { chartsDrawn: drawn, chartsTried: tried });
  };
  for (const [name, spec] of Object.entries(specs)) {
    const place = document.getElementById(name);
    const fold = place.closest("details:not([open])"); // has no width until it is opened
    if (fold) {
      fold.addEventListener("toggle", () => next(place, spec), { once: true });
      continue;
    }
    await next(place, spec);
    await new Promise((then) => setTimeout(then, 0));
  }
  page.dataset.chartsReady = "true";
})();
