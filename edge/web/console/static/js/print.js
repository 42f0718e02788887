// A page that is to be printed: its button does what the browser's menu does.

document.getElementById("print").addEventListener("click", () => window.print());
