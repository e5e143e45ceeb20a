"""The policies that Spillway's is compared with, each a controller of its own."""
