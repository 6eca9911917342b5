// Inside Airflow's UI a page is light or dark as that is; anywhere else as the reader's system is.
if (window.parent !== window) {
  const follow = () => {
    const theme = localStorage.getItem("theme");
    document.documentElement.style.colorScheme = ["light", "dark"].includes(theme) ? theme : "";
  };
  try {
    follow();
    addEventListener("storage", follow);
  } catch {
    // the frame keeps its page from storage
  }
}
