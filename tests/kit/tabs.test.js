// One stream for all tabs: tabs are threads here, and may end or hang at any moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { Browser } from "./browser.js";
import { until } from "./helpers.js";
import { Topic } from "./topic.js";

const KEYS = [..."abcdefghijklmnopqrst"];
const pick = (list) => list[Math.floor(Math.random() * list.length)];
const some = () => KEYS.filter(() => Math.random() < 0.3);

async function story(t) {
  const topic = await new Topic().start();
  const browser = new Browser();
  let n = 0;
  const write = () => {
    for (let i = 0; i < 5; i++) topic.put(pick(KEYS), Math.random() < 0.2 ? null : String(n++));
  };
  const timer = setInterval(write, 5);
  const beat = setInterval(() => topic.beat(), 500);
  const quiet = () => (clearInterval(timer), clearInterval(beat));
  t.after(async () => {
    quiet();
    await browser.closeAll();
    topic.stop();
  });
  return { topic, browser, quiet };
}

async function areRight(topic, browser) {
  for (const tab of browser.tabs) {
    const wanted = topic.rows(tab.keys);
    let is;
    const isRight = async () => {
      is = await browser.look(tab);
      return is.state.tabs === browser.tabs.length && is.table.size === wanted.size && [...wanted].every(([key, value]) => is.table.get(key) === value);
    };
    await until(isRight, "a table that is the topic").catch((error) => {
      throw new Error(`${error.message}: ${JSON.stringify([...is.table])} is not ${JSON.stringify([...wanted])}, ${JSON.stringify(is.state)}`);
    });
    assert.deepEqual(is.wrong, []);
  }
  assert.deepEqual(browser.errors, []);
}

async function leaderOf(browser) {
  for (const tab of browser.tabs) if ((await browser.look(tab)).state.leader) return tab;
  return null;
}

test("twelve tabs have one stream", async (t) => {
  const { topic, browser, quiet } = await story(t);
  for (let i = 0; i < 12; i++) browser.open(topic.url, {});
  await sleep(1500);
  quiet();
  await areRight(topic, browser);
  assert.equal(topic.opened, 1);
});

test("when the leader ends without a word, another goes on, and nothing is lost or comes twice", async (t) => {
  const { topic, browser, quiet } = await story(t);
  for (let i = 0; i < 8; i++) browser.open(topic.url, {});
  for (let i = 0; i < 4; i++) {
    await sleep(500);
    await browser.kill(await until(() => leaderOf(browser)));
  }
  await sleep(500);
  quiet();
  await areRight(topic, browser);
  assert.deepEqual([topic.open, topic.resets], [1, 0]);
  assert.ok(topic.opened <= 5, `${topic.opened} streams`);
});

test("tabs that select, come and go, while streams break, have what they have selected", async (t) => {
  const { topic, browser, quiet } = await story(t);
  for (let i = 0; i < 6; i++) browser.open(topic.url, { select: { key: some() } });
  const end = Date.now() + 8000;
  while (Date.now() < end) {
    const tab = pick(browser.tabs);
    const dice = Math.random();
    if (dice < 0.7) browser.select(tab, dice < 0.05 ? null : some());
    else if (dice < 0.75) tab.worker.postMessage({ what: "hang", ms: 300 });
    else if (dice < 0.8) topic.restart(false);
    else if (dice < 0.82) topic.restart(true);
    else if (dice < 0.9 && browser.tabs.length > 3) await browser.kill(tab);
    else if (browser.tabs.length < 8) browser.open(topic.url, { select: { key: some() } });
    await sleep(100 * Math.random());
  }
  await sleep(500);
  quiet();
  await areRight(topic, browser);
  assert.equal(topic.open, 1);
});
