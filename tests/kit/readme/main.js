// Shows what react.jsx, vue.js and svelte.js export: README.md's words.
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { createApp, h } from "vue";

import { Orders } from "./react.jsx";
import { orders } from "./svelte.js";
import { useOrders } from "./vue.js";

const text = ([key, value]) => `${key}: ${value}`;

createRoot(document.getElementById("react")).render(createElement(Orders));
createApp({
  setup() {
    const table = useOrders();
    return () => h("ul", [...table.value].map((row) => h("li", text(row))));
  },
}).mount("#vue");
orders.subscribe((table) => {
  document.getElementById("svelte").textContent = [...table].map(text).join("\n");
});
