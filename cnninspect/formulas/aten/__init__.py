"""Rules of single ATen ops, for functional calls that have no formula of their own; one file per kind of op.

A rule's functions bind the op's arguments under the names of its schema (`self`, `dim`, `keepdim`...).
"""
