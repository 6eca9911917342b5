// A click on a column's name sorts by it. Without this the tables are read as they are.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[place].dataset.v ?? row.cells[place].textContent.trim();
      const rows = [...body.rows].map((row) => [value(row), row]);
      const areNumbers = rows.every(([text]) => text === "" || !Number.isNaN(Number(text)));
      rows.sort(([a], [b]) => {
        // nothing comes last, whichever way
        if (a === "" || b === "") return (a === "") - (b === "");
        const order = areNumbers ? Number(a) - Number(b) : a.localeCompare(b);
        return down ? -order : order;
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}
