"""Sentences for people, made of codes and numbers: the one place to translate."""
