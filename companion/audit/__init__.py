"""The audit behind the ledger of differences: `differences` in numbers, and a comparison with the released code."""
