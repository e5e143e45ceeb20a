// Prints what TicketBroker.sol compiles to, as JSON: {NAME: {abi, bytecode}}.
import { readFileSync } from "node:fs";
import solc from "solc";

const source = readFileSync(new URL("TicketBroker.sol", import.meta.url), "utf8");
const output = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: { "TicketBroker.sol": { content: source } },
      settings: {
        optimizer: { enabled: true },
        evmVersion: "paris",
        outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
      },
    }),
  ),
);
const errors = (output.errors ?? []).filter((error) => error.severity === "error");
if (errors.length > 0) throw new Error(errors.map((error) => error.formattedMessage).join("\n"));
const contracts = Object.entries(output.contracts["TicketBroker.sol"]).map(([name, made]) => [
  name,
  { abi: made.abi, bytecode: "0x" + made.evm.bytecode.object },
]);
console.log(JSON.stringify(Object.fromEntries(contracts)));
