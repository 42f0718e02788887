// A page that is to be printed: its button does what the browser's menu does.

import { wake } from "/ui/static/js/wake.js";

document.getElementById("print").addEventListener("click", () => window.print());
wake();
