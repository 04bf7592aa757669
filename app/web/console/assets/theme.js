// Before anything is drawn: the theme that was chosen here before; without one, the system's.
(() => {
  try {
    const chosen = localStorage.getItem("orders.theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch { /* a frame in another site's page may have no storage */ }
})();
