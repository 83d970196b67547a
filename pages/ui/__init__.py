"""What the views share. The ground files serve every view; a folder serves the menu word it is named after."""
