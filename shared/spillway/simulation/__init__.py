"""The routing policy on a virtual clock: scenarios, the simulated world, and what came of it."""
