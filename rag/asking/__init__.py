"""From a question to an answer: what is found, whether it can answer, what is said."""
