"""A policy on a board: its C on an emulated Cortex-M3, its WebAssembly in wasm3, against recorded decisions."""
