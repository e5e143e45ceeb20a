// Every pipeline through the official SDK: node livepeer.mjs URL PICTURE SOUND. Prints one JSON object of what came.
import { openAsBlob } from "node:fs";
import { Livepeer } from "@livepeer/ai";

const [url, picturePath, soundPath] = process.argv.slice(2);
const { generate } = new Livepeer({ httpBearer: "any", serverURL: url, timeoutMs: 20_000 });
const picture = { fileName: "in.png", content: await openAsBlob(picturePath, { type: "image/png" }) };
const sound = { fileName: "in.mp3", content: await openAsBlob(soundPath, { type: "audio/mpeg" }) };
const prompt = "a lighthouse at dawn";
const messages = [{ role: "user", content: "What is a spillway?" }];

const calls = {
  "text-to-image": async () => await generate.textToImage({ prompt, width: 256, height: 256, numImagesPerPrompt: 2 }),
  "image-to-image": async () => await generate.imageToImage({ prompt, image: picture }),
  "image-to-video": async () => await generate.imageToVideo({ image: picture, width: 256, height: 144 }),
  upscale: async () => await generate.upscale({ prompt, image: picture }),
  "audio-to-text": async () => await generate.audioToText({ audio: sound }),
  "segment-anything-2": async () => await generate.segmentAnything2({ image: picture, box: "[4, 4, 60, 60]" }),
  llm: async () => await generate.llm({ messages }),
  "image-to-text": async () => await generate.imageToText({ image: picture }),
  "text-to-speech": async () => await generate.textToSpeech({ text: "Water over the dam." }),
  "no prompt": async () => await generate.textToImage({ prompt: "" }),
  "empty file": async () => await generate.imageToText({ image: { ...picture, content: new Blob([]) } }),
};

async function outcome(call) {
  try {
    const { rawResponse, contentType, statusCode, ...answers } = await call();
    return { served_by: rawResponse.headers.get("x-spillway-served-by"), answer: Object.values(answers)[0] };
  } catch (error) {
    return { error: error.name, message: error.detail?.msg ?? error.message };
  }
}

const entries = Object.entries(calls).map(async ([name, call]) => [name, await outcome(call)]);
console.log(JSON.stringify(Object.fromEntries(await Promise.all(entries))));
