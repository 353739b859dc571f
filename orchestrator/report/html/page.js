// Draws every chart of the page, one after the other so that the first are there at once.
// `vegaEmbed` comes with the script before this one; nothing is fetched.
(async () => {
  const page = document.documentElement;
  const specs = JSON.parse(document.getElementById("charts").textContent);
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
