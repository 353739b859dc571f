"""Start, speak to, watch and end worker processes. No policy: who runs what is decided above."""
