"""SQL about a noun, one module per noun, and nowhere else. Imports app.db, app.base and the contract."""
