// Draws every chart of the page, one after the other so that the first are there at once.
// `vegaEmbed` comes with the script before this one; nothing is fetched.
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
(async () => {
  const page = document.documentElement;
  const data = document.getElementById("charts"); // none where no chart needs a script
  const specs = data ? JSON.parse(data.textContent) : {};
  let drawn = 0;
  for (const [name, spec] of Object.entries(specs)) {
    const place = document.getElementById(name);
    try {
      await vegaEmbed(place, spec, { renderer: "svg", actions: false });
      drawn += 1;
    } catch (error) {
      place.classList.add("chart-failed");
      place.textContent = `This chart could not be drawn: ${error.message}`;
    }
    page.dataset.chartsDrawn = String(drawn);
    await new Promise((next) => setTimeout(next, 0));
  }
  page.dataset.chartsReady = "true";
})();
