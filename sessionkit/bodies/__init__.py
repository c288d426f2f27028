"""Request bodies that are rewound, and response bodies that are read within limits."""
